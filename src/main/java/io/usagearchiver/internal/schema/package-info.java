/**
 * Between what: {@link io.usagearchiver.internal.schema.Obstacles} says what keeps rows from being moved between the live
 * tables. It asks {@link io.usagearchiver.internal.schema.SchemaCheck} of the tables, which reads {@link
 * io.usagearchiver.internal.schema.TableFacts}, and {@link io.usagearchiver.internal.schema.GrantCheck} of the rights.
 */
@NullMarked
package io.usagearchiver.internal.schema;

import org.jspecify.annotations.NullMarked;
