/**
 * Who may move: {@link io.usagearchiver.internal.ledger.LedgerRow} is the fence, {@link
 * io.usagearchiver.internal.ledger.LedgerOpening} how it comes to be, and {@link
 * io.usagearchiver.internal.ledger.ActiveHolds} what is to stay.
 */
@NullMarked
package io.usagearchiver.internal.ledger;

import org.jspecify.annotations.NullMarked;
