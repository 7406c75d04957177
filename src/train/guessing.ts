/**
 * What guessing sentence pairs comes to when one knows only how often each label is: the commoner label's share, and the
 * entropy of the labels in nats. Half and ln 2 when they are as frequent; google's rule for NSP gives "random" more often.
 * @param label1Share in [0, 1]
 */
export function pairGuess(label1Share: number): { accuracy: number; loss: number } {
  const nats = (p: number): number => (p === 0 ? 0 : -p * Math.log(p));
  return { accuracy: Math.max(label1Share, 1 - label1Share), loss: nats(label1Share) + nats(1 - label1Share) };
}
