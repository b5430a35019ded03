/**
 * The steps of the lesson beside the page. The text of a step can be read beside what its address shows, and the answer
 * to its question can be found there. tests/pages/test_lesson_steps.py computes every number that is written here.
 */

export const steps = [
  {
    title: "What is a weight?",
    text: [
      "This network learns XOR: the answer is 1 if exactly one of a and b is 1. a and b come in on the left, and the prediction leaves on the right.",
      "Each line between them is a weight. A weight is a number: what flows along the line is multiplied by it. Thick lines are large weights. Orange lines are positive, and blue dashed ones negative.",
      "Each weight began as a random number. Learning means to change these numbers, and nothing else.",
      "Try it: click on a few lines, and read their values.",
    ],
    address: "#seed=6&rate=0.1&select=0.weight[0,0]",
    question: "Which weight is the largest?",
    answer: "The one from b to hidden unit 2. Its value is 1.854.",
  },
  {
    title: "What does a unit do?",
    text: [
      "In the middle are two hidden units, h1 and h2. A hidden unit multiplies each of its inputs by its weight, and adds all this up. Then it adds one more number, its bias. The sum is called z.",
      "If z is above 0, the unit hands z on: it is on. If not, it hands on 0: it is off. This rule is called ReLU. Without such a bend, a network could only draw straight lines.",
      "Try it: the panel 'Step through' shows row 2, where a is 1 and b is 0. Press 'Next number ›' there four times, and read the sentence of each step.",
    ],
    address: "#seed=6&rate=0.1&panel=trace&row=2",
    question: "Is hidden unit 2 on or off for this row?",
    answer: "It is off. Its sum z2 is −2.140. That is below 0, so it hands on 0.",
  },
  {
    title: "How wrong is it?",
    text: [
      "The last unit makes a sum like the others. A function called sigmoid squeezes it into a probability: how likely the network thinks that the answer is 1.",
      "The loss says how wrong that is. It is 0 if the network is sure of what is right, and it grows the surer the network is of what is wrong. A network that always guesses one half has a loss of 0.6931.",
      "The loss of the network is the mean over all four rows: 0.7675. Three rows are right, but one is so wrong that the mean is worse than guessing. To learn is to make this one number smaller.",
      "Try it: the panel 'Rows' shows the prediction and the loss of every row. Find the one that is wrong.",
    ],
    address: "#seed=6&rate=0.1&panel=rows&row=2",
    question: "Which row has the largest loss?",
    answer: "Row 2: its loss is 1.753. The right answer is 1, and the network gives it a probability of only 0.1732.",
  },
  {
    title: "Nudge a weight",
    text: [
      "Should a weight go up or down? Nudge it, and see: make it larger by a tiny ε (read: epsilon), and smaller by ε. Then compare the two losses.",
      "The difference of the losses, divided by the difference of the weights, is the gradient. It says how fast the loss grows when the weight grows. If it is above 0, the weight should go down. If it is below 0, the weight should go up.",
      "Try it: the panel shows both losses for the weight from a to hidden unit 1. Then drag the weight a little to the left, and see what becomes of the loss.",
    ],
    address: "#seed=6&rate=0.1&select=0.weight[0,0]",
    question: "Should this weight go up or down, and how do you know?",
    answer: "Down. Its gradient is 0.2277, which is above 0: when the weight grows, so does the loss.",
  },
  {
    title: "How small is a good nudge?",
    text: [
      "The loss is a curve, and a nudge draws a straight line through two of its points. If ε is large, the curve bends between them, and the line has another slope than the curve.",
      "So take a very small ε? Then the two losses are nearly equal. A computer keeps about 16 digits of each, and most of these cancel in the difference. Few right digits are left.",
      "Try it: drag ε from one end to the other, and watch which digits of the nudge are marked as wrong. The curve shows the error for every ε.",
    ],
    address: "#seed=6&rate=0.1&select=0.weight[0,0]&epsilon=0.1",
    question: "Where is the error smallest: at 0.1, near 0.00001, or at the tiniest ε?",
    answer: "Near 0.00001. At 0.1 the bend of the curve makes the error larger, and at the tiniest ε the lost digits do.",
  },
  {
    title: "Backwards, from the loss to the weights",
    text: [
      "To nudge every weight takes many passes through the network. There is a faster way: go backwards once.",
      "Begin at the end. δ3 says how fast the loss grows with the last sum, z3. It is simply the prediction minus the target. Each unit gets its part of the error back: δ times the weight on the way, times the slope of ReLU. That slope is 1 if the unit is on, and 0 if it is off.",
      "The gradient of a weight is then the δ behind it times the number in front of it. This is the chain rule, and the way is called backpropagation.",
      "Try it: press 'Next number ›', and follow δ3 back to the hidden units, and on to the gradients.",
    ],
    address: "#seed=6&rate=0.1&panel=trace&row=2&step=7",
    question: "δ2 is 0. Why?",
    answer: "Hidden unit 2 is off for this row. If z2 changes a little, the unit still hands on 0, so the loss does not change.",
  },
  {
    title: "One step down",
    text: [
      "Now every weight takes a step against its gradient: new weight = old weight − learning rate · gradient. The learning rate, here 0.1, says how far it goes.",
      "Weights with a large gradient move far. A weight with a gradient of 0 stays.",
      "Try it: press 'Next number ›' to see the update of each weight. Then press 'Apply this update', and look at the loss of this row.",
    ],
    address: "#seed=6&rate=0.1&panel=trace&row=2&step=19",
    question: "What is the loss of this row before the update, and what is it after it?",
    answer: "It is 1.753 before, and 1.272 after. One step has made the network a little less wrong.",
  },
  {
    title: "Let it train",
    text: [
      "Training is this step, again and again, with the gradients of all four rows together. One such step is called an epoch here.",
      "Try it: press Step a few times, and watch the loss. Then press Run. The colours of the picture show what the network says for every a and b, and the run stops when all rows are right.",
      "Look at the two hidden units afterwards. Each has its own small picture. The network has bent the plane so that the two corners with the answer 1 come to the same side.",
    ],
    address: "#seed=6&rate=0.1",
    question: "After about how many epochs is every row right?",
    answer: "After 104 epochs. A run looks only now and then, so it may stop a little later. Press Run again, and the loss goes on falling.",
  },
  {
    title: "Faster is not better",
    text: [
      "Here is the very same start, after 4,000 epochs with a learning rate of 3 instead of 0.1. It has not learned XOR: the loss is 0.4774, and three rows share one prediction, 0.667.",
      "The steps were too long. They jumped over the valley of the loss, and threw hidden unit 2 so far that it is off for every row. From there it does not come back.",
      "Try it: press Reset, which brings back the start. Type 0.1 as the learning rate, and press Run.",
    ],
    address: "#seed=6&rate=3&epochs=4000&panel=rows",
    question: "Which rows share one prediction?",
    answer: "Rows 1, 2 and 3. Two of them should be 1 and one should be 0, so 0.667 is the best that they can share.",
  },
  {
    title: "Stuck",
    text: [
      "Another start, with a good learning rate, after 5,000 epochs. The loss is 0.6932: no better than guessing one half. More training does not help.",
      "Why? The page can tell. It looks for what is wrong, changes that, trains on, and compares with changes that are made at random. A reason counts only if its change helps.",
      "Try it: press 'Why is it stuck?', and read the first finding. Then press 'Do this, and train on'.",
    ],
    address: "#seed=7&rate=0.1&epochs=5000&panel=stuck",
    question: "Which unit is dead, and why does training not wake it?",
    answer: "Hidden unit 2. It is off for every row, so all its gradients are 0, and a step of 0 changes nothing.",
  },
  {
    title: "Why 64 starts?",
    text: [
      "Whether training gets stuck depends on the random numbers at the start. This network learns XOR from about one start in four. No learning rate changes that much.",
      "So Nudge takes no chances: it trains from 64 starts at once, and keeps the best. If one start in four succeeds, all 64 fail about once in 100 million times.",
      "Try it: press 'Try 64 starts'. Click on a picture to take that network. Then let the page say of the others why they are stuck.",
      "Now you know how a network learns. Choose other data, or draw your own, and give the network more units.",
    ],
    address: "#seed=7&rate=0.1&panel=starts",
    question: "How many of these 64 starts solve XOR?",
    answer: "16 of 64. One of them is enough.",
  },
];
