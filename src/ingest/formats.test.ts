import { expect, test } from 'vitest';
import { isReadable, readTexts } from './formats.ts';

const read = (name: string, text: string, textField?: string) =>
  readTexts(name, new TextEncoder().encode(text), textField);

test('names are known by their endings', () => {
  for (const name of ['a.txt', 'dir.x/B.MD', 'c.html', 'd.jsonl', 'e.csv', 'f.tsv']) {
    expect(isReadable(name)).toBe(true);
  }
  for (const name of ['a', 'a.png', '.txt/a', 'csv', 'a.pdf']) expect(isReadable(name)).toBe(false);
});

test('text and Markdown are taken as they are', async () => {
  expect(await read('a.txt', '\ufeffOne.\nTwo.')).toEqual([{ text: 'One.\nTwo.', key: '', metadata: {} }]);
  const [markdown] = await read('a.md', 'Before\n\n# The *title* #\n\nText with `code`.');
  expect(markdown).toMatchObject({ metadata: { title: 'The *title*' } });
  expect(markdown!.text).toContain('Text with `code`.');
});

test('HTML is the text that a reader sees, a line for each block', async () => {
  const html = `<!doctype html><html><head><title> A &amp;
    B </title><style>p { color: red }</style></head><body><nav>Menu</nav>
    <p>One <b>bold</b>
    word &mdash; and&nbsp;more.</p><script>alert('no')</script>
    <ul><li>First<li>Second</ul><table><tr><td>x</td><td>y</td></tr></table>tail`;
  const [page] = await read('a.html', html);
  expect(page).toEqual({
    text: 'Menu\nOne bold word — and more.\nFirst\nSecond\nx\ny\ntail',
    key: '',
    metadata: { title: 'A & B' },
  });
  expect(await read('b.html', 'no tags at < all')).toMatchObject([
    { text: 'no tags at < all', metadata: {} },
  ]);
});

test('JSON lines give a text each, and their scalars', async () => {
  const lines = [
    '{"id": 7, "text": "one", "year": 1999, "isNew": true, "tags": ["a"], "none": null}',
    '',
    '"just a text"',
    '{"content": "two", "metadata": {"author": "X"}, "#odd": "y"}',
  ];
  expect(await read('a.jsonl', lines.join('\r\n'))).toEqual([
    { text: 'one', key: '7', metadata: { id: 7, year: 1999, isNew: true, line: 1 } },
    { text: 'just a text', key: '3', metadata: { line: 3 } },
    { text: 'two', key: 'line 4', metadata: { author: 'X', odd: 'y', line: 4 } },
  ]);
  expect(await read('a.jsonl', '{"text": "a", "body": "b"}', 'body')).toMatchObject([
    { text: 'b', metadata: { text: 'a' } },
  ]);
});

test('CSV gives a text a row, and the other columns', async () => {
  const csv = 'id,text,city\r\n1,"said ""yes"", then\nno",Ulm\r\n\r\n2,plain,"Bad Aibling"\r\n';
  expect(await read('a.csv', csv)).toEqual([
    { text: 'said "yes", then\nno', key: '1', metadata: { id: '1', city: 'Ulm', row: 1 } },
    { text: 'plain', key: '2', metadata: { id: '2', city: 'Bad Aibling', row: 2 } },
  ]);
  expect(await read('a.tsv', 'text\tn\na, b\t1')).toMatchObject([{ text: 'a, b', metadata: { n: '1' } }]);
  expect(await read('a.csv', 'text\nonly\ncolumn')).toMatchObject([{ text: 'only' }, { text: 'column' }]);
});

test('what is not as its name says is refused, with the place', async () => {
  const refused = (message: RegExp) =>
    expect.objectContaining({ code: 'TESSERA_INVALID_DOCUMENT', message: expect.stringMatching(message) });
  await expect(readTexts('a.txt', Uint8Array.of(0x61, 0xff), undefined)).rejects.toThrow(
    refused(/not UTF-8/),
  );
  await expect(read('a.jsonl', '{"text": "a"}\n{"text": ')).rejects.toThrow(refused(/line 2 is no JSON/));
  await expect(read('a.jsonl', '[1]')).rejects.toThrow(refused(/line 1 is neither/));
  await expect(read('a.jsonl', '{"title": "a"}')).rejects.toThrow(refused(/line 1 has no text.*title/));
  await expect(read('a.csv', 'a,b\n1,2', 'c')).rejects.toThrow(refused(/row 1 has no text: expected "c"/));
  await expect(read('a.csv', 'text,b\n"open,2')).rejects.toThrow(refused(/unterminated near row/));
});
