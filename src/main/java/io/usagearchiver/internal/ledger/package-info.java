/**
 * Who may move: {@link io.usagearchiver.internal.ledger.LedgerRow} is the fence, and holds say what is to stay.
 */
@NullMarked
package io.usagearchiver.internal.ledger;

import org.jspecify.annotations.NullMarked;
