// Package survival estimates when something happens: the time until a bill is
// paid, a message is opened or a machine breaks, when for some rows all that
// is known is that it had not happened yet.
//
// It holds proportional hazards (Cox with Efron, Breslow and exact ties, an
// elastic-net path, Fine-Gray), the non-parametric curves (Kaplan-Meier,
// Nelson-Aalen, Aalen-Johansen, log-rank), parametric accelerated failure
// times, a discrete-time hazard that is streamed in passes, and the measures
// by which a forecast of survival is judged.
//
// It sees numbers only and knows nothing of debtors, files, clocks or random
// sources. Bad data is answered with an error that names the column or the
// row ([ColumnError], [RowError]); slices whose lengths disagree are bad code
// and panic. Results do not depend on the number of processors: sums are
// formed in fixed blocks and combined in a fixed order.
package survival
