// Random draws: functions without arguments, made once per virtual user.

// A prime above every number of products, so that rank * STRIDE passes through all of them.
const STRIDE = 15485863;

// Ranks 0 to n - 1, rank k as often as 1 / (k + 1): Zipf's law with exponent 1.
// Rejection-inversion (Hoermann and Derflinger 1996): exact, and without a table of n entries.
export function zipf(n) {
  const low = Math.log(1.5) - 1;
  const high = Math.log(n + 0.5);
  const sure = 2 - Math.exp(Math.log(2.5) - 0.5);
  return () => {
    for (;;) {
      const area = high + Math.random() * (low - high);
      const x = Math.exp(area);
      const k = Math.min(n, Math.max(1, Math.floor(x + 0.5)));
      if (k - x <= sure || area >= Math.log(k + 0.5) - 1 / k) {
        return k - 1;
      }
    }
  };
}

export function uniform(n) {
  return () => Math.floor(Math.random() * n);
}

// The place of each rank among n products: popular ones are not neighbours in the tables.
export function place(n) {
  return (rank) => (rank * STRIDE) % n;
}

// Items, each as often as its weight.
export function weighted(items, weights) {
  const bounds = [];
  const total = weights.reduce((sum, weight) => bounds.push(sum + weight) && sum + weight, 0);
  return () => {
    const at = Math.random() * total;
    let index = 0;
    while (at >= bounds[index]) {
      index += 1;
    }
    return items[index];
  };
}
