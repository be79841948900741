/** The process of writing-process.mjs as its tests see it: what was sent and acknowledged, how it ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, onTestFinished } from 'vitest';
import type { IndexTuning } from '../../src/query/index.ts';
import { programPath } from '../support/programs.ts';
import { lineOf, type State, type Stream, statesOf } from './streams.ts';

export const WRITING_PROCESS = programPath('writing-process');

/** What writing-process.mjs is told. */
export interface WriterOptions {
  readonly path: string;
  readonly threads?: number;
  readonly durability?: 'full' | 'relaxed';
  readonly walPagesMax?: number;
  readonly isSerial?: boolean;
  readonly tuning?: IndexTuning;
  readonly copyTo?: string;
  readonly killAt?: number;
}

/** A stream and where it stands for certain: after so many commands. */
export interface Progress {
  readonly stream: Stream;
  state: State;
  done: number;
}

/** Moves a stream on by commands that were acknowledged. */
export function advance(progress: Progress, done: number): void {
  while (progress.done < done) {
    progress.state = statesOf(progress.state, progress.stream.at(progress.done)).at(-1)!;
    progress.done++;
  }
}

/** See the top of this file. */
export class Writer {
  readonly #child: ChildProcess;
  readonly #acknowledged: number[];
  readonly #sent: number[];
  readonly #progress: readonly Progress[];
  /** Resolves with the first acknowledgement, or at the end. */
  readonly begun: Promise<void>;
  readonly ended: Promise<NodeJS.Signals | number | null>;
  /** Points that it went through, if it came to its end. */
  pointCount = 0;

  constructor(options: WriterOptions, progress: readonly Progress[], command: readonly string[] = []) {
    const words = [...command, process.execPath, WRITING_PROCESS, JSON.stringify(options)];
    this.#child = spawn(words[0]!, words.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => {
      this.#child.kill('SIGKILL');
    });
    this.#progress = progress;
    this.#acknowledged = progress.map(({ done }) => done);
    this.#sent = [...this.#acknowledged];
    // What a dead process did not read any more is nobody's fault.
    this.#child.stdin!.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => resolve(signal ?? code));
    });
    this.begun = new Promise((resolve) => {
      createInterface({ input: this.#child.stdout! }).on('line', (line) => {
        this.#hear(line);
        resolve();
      });
      void this.ended.then(() => resolve());
    });
  }

  /** Sends so many more commands to each stream. */
  send(count: number): void {
    for (let i = 0; i < count; i++) for (const stream of this.#progress.keys()) this.#sendOne(stream);
  }

  /** Nothing more will be sent. */
  end(): void {
    this.#child.stdin!.end();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** How many commands of each stream were acknowledged. */
  get acknowledged(): readonly number[] {
    return this.#acknowledged;
  }

  #hear(line: string): void {
    const [stream, number] = line.split(' ').map(Number);
    if (line.startsWith('points ')) {
      this.pointCount = number!;
      return;
    }
    expect(number).toBe(this.#acknowledged[stream!]);
    this.#acknowledged[stream!]!++;
    if (this.#child.stdin!.writable) this.#sendOne(stream!);
  }

  #sendOne(stream: number): void {
    const number = this.#sent[stream]!++;
    const { name } = this.#progress[stream]!.stream;
    this.#child.stdin!.write(lineOf(stream, number, name, this.#progress[stream]!.stream.at(number)));
  }
}
