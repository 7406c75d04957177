import { DataError } from '../../core/errors.js';
import { Problems } from './problems.js';
import type { Read } from './sequence.js';

/** An answer as its text and where it begins, in UTF-16 units; -1: it does not stand in its context word for word. */
export interface Answer {
  readonly text: string;
  readonly start: number;
}

/** A question to a text, and its answers: several that are all right, none when the text does not tell. */
export interface QaExample {
  /** Counted from 1, in the order of the file. */
  readonly line: number;
  readonly id: string;
  readonly question: string;
  readonly context: string;
  readonly answers: readonly Answer[];
}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const first = (fields: Fields, ...names: string[]): unknown =>
  names.map((name) => fields[name]).find((v) => v !== undefined);

/** UTF-16 index of a code point: Python, which made most of these files, counts code points. */
function unitsBefore(text: string, points: number): number {
  let at = 0;
  for (let i = 0; i < points && at < text.length; i++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}

/** Where an answer stands: at its offset, in either way of counting, else at the nearest place; -1: nowhere. */
function locate(context: string, text: string, offset: number): { start: number; moved: boolean } {
  for (const start of [offset, unitsBefore(context, offset)]) {
    if (start >= 0 && context.startsWith(text, start)) return { start, moved: false };
  }
  let best = -1;
  for (let at = context.indexOf(text); at >= 0; at = context.indexOf(text, at + 1)) {
    if (best < 0 || Math.abs(at - offset) < Math.abs(best - offset)) best = at;
  }
  return { start: best, moved: true };
}

/** Answers as `[{ text, answer_start }]`, as `{ text: [], answer_start: [] }` (Hugging Face), or as texts alone. */
function rawAnswers(value: unknown): { text: string; start: number }[] {
  if (isFields(value)) {
    const starts = listOf(value.answer_start);
    return listOf(value.text).map((text, i) => ({ text: String(text), start: Number(starts[i] ?? 0) }));
  }
  return listOf(value).map((answer) => {
    if (!isFields(answer)) return { text: String(answer), start: 0 };
    return { text: String(answer.text ?? ''), start: Number(answer.answer_start ?? 0) };
  });
}

/** Questions of a file in the form of SQuAD 1.1 and 2.0, of CMRC 2018, or of records. */
class SquadReader {
  readonly examples: QaExample[] = [];
  readonly problems: Problems;

  constructor(source: string) {
    this.problems = new Problems(source);
  }

  question(fields: Fields, context: unknown, answered: boolean): void {
    const line = ++this.problems.rows;
    const question = first(fields, 'question', 'query_text', 'query');
    const id = String(first(fields, 'id', 'query_id') ?? line);
    const place = `question ${line} (id ${id.slice(0, 40)})`;
    if (typeof question !== 'string' || typeof context !== 'string') {
      this.problems.add('record', place, 'a question and a context are needed');
      return;
    }
    if (question.trim() === '' || context.trim() === '') this.problems.add('empty', place);
    const given = fields.is_impossible === true ? [] : rawAnswers(fields.answers);
    const answers: Answer[] = [];
    for (const { text, start } of given) {
      const found = text === '' ? { start: -1, moved: true } : locate(context, text, start);
      if (found.start >= 0 && found.moved && answered) this.problems.add('moved', place);
      answers.push({ text, start: found.start });
    }
    const lost = answers.filter(({ start }) => start < 0).length;
    if (lost > 0 && lost === answers.length && answered) {
      this.problems.add('answer', place, JSON.stringify(given[0].text.slice(0, 40)));
      return;
    }
    if (lost > 0 && answered) this.problems.add('lost', place);
    this.examples.push({ line, id, question, context, answers });
  }

  paragraphs(json: Fields | readonly unknown[], answered: boolean): void {
    const articles = Array.isArray(json) ? json : listOf((json as Fields).data);
    for (const article of articles.filter(isFields)) {
      const paragraphs = Array.isArray(article.paragraphs) ? article.paragraphs.filter(isFields) : [article];
      for (const paragraph of paragraphs) {
        const context = first(paragraph, 'context', 'context_text');
        for (const qa of listOf(paragraph.qas).filter(isFields)) this.question(qa, context, answered);
        if (paragraph.qas === undefined) this.question(paragraph, context, answered);
      }
    }
  }
}

/**
 * Questions, texts and answers from JSON as SQuAD 1.1, SQuAD 2.0, CMRC 2018 or records have it.
 * @param answered whether answers are needed; where they are not, wrong ones are no matter
 * @throws {DataError} DATA-TASK: not one question in it
 */
export function readSquad(json: unknown, source: string, answered = true): Read<QaExample> {
  const reader = new SquadReader(source);
  if (isFields(json) || Array.isArray(json)) reader.paragraphs(json, answered);
  if (reader.problems.rows === 0) {
    throw new DataError(`${source}: holds no questions`, {
      code: 'DATA-TASK',
      where: source,
      fix: 'it must be as SQuAD has it, {"data": [{"paragraphs": [{"context", "qas"}]}]}, or records',
    });
  }
  return { ...reader, said: `${source}: ${reader.problems.rows} questions` };
}
