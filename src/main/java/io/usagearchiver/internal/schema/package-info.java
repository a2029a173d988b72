/**
 * Between what: {@link io.usagearchiver.internal.schema.Obstacles} says what keeps rows from being moved between the live
 * tables. It asks {@link io.usagearchiver.internal.schema.SchemaCheck} of the tables, which reads {@link
 * io.usagearchiver.internal.schema.TableFacts}, and {@link io.usagearchiver.internal.schema.GrantCheck} of the rights. {@link
 * io.usagearchiver.internal.schema.TwinTable} makes an archive, and {@link
 * io.usagearchiver.internal.schema.ArchivePartitions} its coming partitions.
 */
@NullMarked
package io.usagearchiver.internal.schema;

import org.jspecify.annotations.NullMarked;
