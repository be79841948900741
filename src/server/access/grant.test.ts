import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatGrantLine, type Grant, parseGrantLines } from './grant.ts';

const HASH = `sha256:${'ab'.repeat(32)}`;

test('a line says who may do what', () => {
  const text = `
# the shop
reader ${HASH} tenant=acme database=search,archive collection=films access=read

root ${HASH} tenant=* access=write
prometheus ${HASH} tenant=* access=metrics
`;
  expect(parseGrantLines(text, 'keys').map(({ grant }) => grant)).toEqual([
    {
      name: 'reader',
      tenant: 'acme',
      databases: ['search', 'archive'],
      collections: ['films'],
      access: 'read',
    },
    { name: 'root', tenant: null, databases: null, collections: null, access: 'write' },
    { name: 'prometheus', tenant: null, databases: null, collections: null, access: 'metrics' },
  ]);
});

test.each([
  ['reader', /line 1: expected a hash after the name "reader"/],
  ['reader tenant=acme access=read', /expected a hash after/],
  [`reader ${HASH} access=read`, /expected tenant= with one tenant, or tenant=\* for all/],
  [`reader ${HASH} tenant=a,b access=read`, /expected tenant= with one tenant/],
  [`reader ${HASH} tenant=acme`, /expected access= with one of read, write, metrics/],
  [`reader ${HASH} tenant=acme access=admin`, /expected access= with one of/],
  [`reader ${HASH} tenant=acme acess=read`, /unknown part "acess=read": did you mean access=\?/],
  [`reader ${HASH} tenant=acme access=read access=write`, /access= stands twice/],
  [`reader ${HASH} tenant=acme database= access=read`, /a name is empty/],
  [`reader ${HASH} tenant=% access=read`, /"%" is no percent-encoding/],
  [`a ${HASH} tenant=acme access=metrics`, /access=metrics goes with tenant=\* alone/],
  [`a ${HASH} tenant=* access=read\na ${HASH} tenant=* access=write`, /line 2: the name a stands twice/],
])('what says too little, or something else, is refused: %s', (text, message) => {
  const attempt = (): unknown => parseGrantLines(text, 'keys.txt');
  expect(attempt).toThrow(message);
  expect(attempt).toThrow(/^keys\.txt, line/);
  expect(attempt).not.toThrow(HASH);
});

test('what is written is read again as it was, whatever the names', () => {
  const name = fc.string({ minLength: 1, unit: 'grapheme' });
  const list = fc.option(fc.array(name, { minLength: 1 }));
  const grants: fc.Arbitrary<Grant> = fc.record({
    name,
    tenant: fc.option(name),
    databases: list,
    collections: list,
    access: fc.constantFrom('read' as const, 'write' as const),
  });
  fc.assert(
    fc.property(grants, (grant) => {
      const line = { grant, hash: HASH };
      expect(parseGrantLines(formatGrantLine(line), 'keys')).toEqual([line]);
    }),
    { seed: 20261125 },
  );
});
