/** The head of every page. */

/**
 * Show the link to the page for learners, if the service has one.
 *
 * @param {boolean} hasLearning
 */
export function showLearnLink(hasLearning) {
  const link = document.getElementById("learn-link");
  if (link) link.hidden = !hasLearning;
}
