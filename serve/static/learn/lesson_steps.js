/** The steps of the lesson beside the page. */

export const steps = [
  {
    title: "What is a weight?",
    text: ["Each line is a weight. It multiplies what flows along it."],
    address: "#table=xor&hidden=2&seed=1&select=0.weight[0,0]",
    question: "Which weight is the largest?",
    answer: "The one with the thickest line.",
  },
  {
    title: "Why 64 starts?",
    text: ["From some starts, training gets stuck. From others, it does not."],
    address: "#table=xor&hidden=2&seed=1&panel=starts",
  },
];
