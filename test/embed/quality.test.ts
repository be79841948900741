/**
 * Whether the default embedding function understands what it reads: graded pairs of sentences, and questions
 * whose answers share few words with them. Both are sanity checks, small enough to be judged by reading; how
 * well it does on a thousand sentences is measured in bench/ (`npm run bench -- embed`).
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { UseLiteEmbeddingFunction } from '../../src/models/index.ts';

/** Two sentences and how alike they are: from 0, nothing in common, to 5, the same said otherwise. */
const PAIRS: readonly (readonly [grade: number, one: string, other: string])[] = [
  [5, 'The film starts at eight tonight.', 'The movie begins this evening at eight.'],
  [5, 'He bought a new car last week.', 'Last week he purchased a new automobile.'],
  [5, 'The baby is crying loudly.', 'The infant is weeping very loudly.'],
  [5, 'I forgot where I left my keys.', 'I cannot remember where I put my keys.'],
  [4, 'The doctor told her to rest.', 'Her physician said that she should stay in bed.'],
  [4, 'Prices of houses rose sharply.', 'Homes have become much more expensive.'],
  [4, 'The team won the match yesterday.', 'Yesterday the players celebrated their victory.'],
  [4, 'It has been raining all day.', 'The weather has been wet since the morning.'],
  [3, 'She plays the violin in an orchestra.', 'He is learning to play the piano.'],
  [3, 'The dog chased a cat.', 'A cat ran away from another cat.'],
  [3, 'We had soup for lunch.', 'For dinner they ate grilled fish.'],
  [3, 'The train to Paris was late.', 'Our flight to Rome was cancelled.'],
  [2, 'The students are reading books.', 'The teacher wrote on the board.'],
  [2, 'He repaired his bicycle.', 'The bus stops near the station.'],
  [2, 'The garden is full of roses.', 'They cut down the old oak tree.'],
  [1, 'The company hired twenty people.', 'The hotel has a large swimming pool.'],
  [1, 'She painted the kitchen white.', 'The museum is closed on Mondays.'],
  [0, 'The moon orbits the earth.', 'Add two spoons of sugar and stir.'],
  [0, 'The judge postponed the trial.', 'My shoes are too small.'],
  [0, 'Whales sing to each other.', 'The printer is out of paper.'],
];

/** A question and the answer that belongs to it, among all of them. */
const QUESTIONS: readonly (readonly [question: string, answer: string])[] = [
  ['How do I change my password?', 'Open the security settings to choose a new login secret.'],
  ['What is the capital of France?', 'Paris is the seat of the French government.'],
  ['Why is the sky blue?', 'Air scatters short wavelengths of sunlight more than long ones.'],
  ['How long should I boil an egg?', 'Seven minutes in hot water give a soft yolk.'],
  ['My computer is very slow', 'Close programs you are not using and restart the machine to free memory.'],
  ['When is rent due?', 'Tenants pay their landlord on the first of each month.'],
  ['Who wrote Hamlet?', 'Shakespeare is the author of that famous play.'],
  ['What do pandas eat?', 'The bears feed almost entirely on bamboo.'],
  ['How can I lose weight?', 'Eat fewer calories and exercise more often.'],
  ['Where can I park my car?', 'There is a garage with free spaces behind the building.'],
  ['What causes earthquakes?', 'Plates of the crust slide past each other and shake the ground.'],
  ['Is smoking bad for you?', 'Cigarettes damage the lungs and cause cancer.'],
  ['How do birds fly?', 'Their wings push air downwards and lift the body.'],
  ['I want my money back', 'Refunds are paid within ten days after you return the product.'],
  ['Can I bring my dog?', 'Pets are welcome if they are kept on a leash.'],
  [
    'What is the best way to learn a language?',
    'Speak with native speakers every day and memorise vocabulary.',
  ],
  ['How is cheese made?', 'Milk is curdled, pressed and left to ripen.'],
  ['Who discovered gravity?', 'Newton described why apples fall to the ground.'],
  ['What time does the shop open?', 'The store is open from nine in the morning.'],
  ['Why do leaves change colour in autumn?', 'Trees lose their green chlorophyll before winter.'],
];

let pairs: Float32Array[];
let questions: Float32Array[];
let answers: Float32Array[];

beforeAll(async () => {
  const model = new UseLiteEmbeddingFunction({ threads: 0 });
  pairs = await model.generate(PAIRS.flatMap(([, one, other]) => [one, other]));
  questions = await model.generate(QUESTIONS.map(([question]) => question));
  answers = await model.generate(QUESTIONS.map(([, answer]) => answer));
});

describe('the default embedding function', () => {
  test('orders pairs of sentences as a reader would', () => {
    const cosines = PAIRS.map((_, i) => dot(pairs[2 * i]!, pairs[2 * i + 1]!));
    const grades = PAIRS.map(([grade]) => grade);
    const spearman = correlation(ranks(cosines), ranks(grades));
    expect(spearman, `Spearman ${spearman.toFixed(3)}: ${cosines.map((c) => c.toFixed(2))}`).toBeGreaterThan(
      0.8,
    );
  });

  test('finds the answer first for at least 19 of 20 questions', () => {
    const wrong = QUESTIONS.filter((_, i) => {
      const nearness = answers.map((answer) => dot(questions[i]!, answer));
      return nearness.indexOf(Math.max(...nearness)) !== i;
    });
    expect(wrong.length, wrong.map(([question]) => question).join(' ')).toBeLessThanOrEqual(1);
  });
});

function dot(one: Float32Array, other: Float32Array): number {
  return one.reduce((sum, value, i) => sum + value * other[i]!, 0);
}

/** The rank of each value; equal values share the mean of their ranks. */
function ranks(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal - 1) / 2;
  });
}

function correlation(xs: readonly number[], ys: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
  const [mx, my] = [mean(xs), mean(ys)];
  const covariance = xs.reduce((sum, x, i) => sum + (x - mx) * (ys[i]! - my), 0);
  const spread = (values: readonly number[], m: number): number =>
    Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0));
  return covariance / (spread(xs, mx) * spread(ys, my));
}
