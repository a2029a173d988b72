/**
 * Only looks: what plans, verifications, histories, previews and health are read from. {@link
 * io.usagearchiver.internal.inspect.PlanQuery} asks most of the others.
 */
@NullMarked
package io.usagearchiver.internal.inspect;

import org.jspecify.annotations.NullMarked;
