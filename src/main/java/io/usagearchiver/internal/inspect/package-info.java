/**
 * Only looks: what plans, verifications, histories, previews and health are read from.
 */
@NullMarked
package io.usagearchiver.internal.inspect;

import org.jspecify.annotations.NullMarked;
