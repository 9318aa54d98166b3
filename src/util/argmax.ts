/** Where the largest of some numbers stands, the first of equals; -1 where one of them is NaN, which is no answer. */
export function argmax(numbers: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < numbers.length; i++) {
    if (Number.isNaN(numbers[i])) return -1;
    if (numbers[i] > numbers[most]) most = i;
  }
  return most;
}
