// Asks the scheduler single questions.

/** Return the answer to a question, or throw an error with the scheduler's words. */
export async function fetchDetails(name, parameters) {
  const answer = await fetch(`details/${name}.json?${new URLSearchParams(parameters)}`);
  if (!answer.ok) throw new Error((await answer.text()) || answer.statusText);
  return answer.json();
}
