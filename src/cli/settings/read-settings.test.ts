import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { ROOT } from '../../../test/tidy/tree.ts';
import type { OptionValues } from '../options.ts';
import { type ReadSettings, readSettings, SETTING_OPTIONS } from './read-settings.ts';
import { IGNORED_KEYS, SERVER_SETTINGS } from './server-settings.ts';

function fileOf(yaml: string): string {
  const path = join(temporaryDirectory(), 'config.yaml');
  writeFileSync(path, yaml);
  return path;
}

const read = (values: OptionValues = {}, env: Record<string, string> = {}): Promise<ReadSettings> =>
  readSettings(values, env);

test('without any source, everything has its default, and only this machine is let in', async () => {
  const { settings, notices } = await read();
  const defaults = Object.entries(SERVER_SETTINGS).map(([name, { fallback }]) => [name, fallback]);
  expect(settings).toEqual(Object.fromEntries(defaults));
  expect(settings).toMatchObject({ host: '127.0.0.1', port: 8000, insecure: false, allowReset: false });
  expect(notices).toEqual([]);
});

test('the command line counts before the environment, and that before the file', async () => {
  const config = fileOf('port: 1\nlisten_address: file\npersist_path: /file\nlimits:\n  batch_size_max: 5\n');
  const env = { TESSERA_PORT: '2', CHROMA_LISTEN_ADDRESS: 'env', TESSERA_LIMITS__BATCH_SIZE_MAX: '6' };
  const { settings } = await read({ config, port: '3', 'batch-size-max': 'none' }, env);
  expect(settings).toMatchObject({ port: 3, host: 'env', path: '/file', batchSizeMax: null });
});

test('a file is named by an option, an operand or a variable', async () => {
  const path = fileOf('port: 7');
  for (const [values, env] of [
    [{ config: path }, {}],
    [{ CONFIG: path }, {}],
    [{}, { CONFIG_PATH: path }],
    [{}, { TESSERA_CONFIG: path }],
  ] as const) {
    expect((await read(values, env)).settings.port).toBe(7);
  }
});

describe("Chroma's own", () => {
  test('file is understood as a whole', async () => {
    const config = fileOf(`
port: 8001
listen_address: "0.0.0.0"
persist_path: "/data"
allow_reset: true
cors_allow_origins: ["https://a.example", "*"]
max_payload_size_bytes: 1000
sqlite_filename: "chroma.sqlite3"
sqlitedb:
  hash_type: "md5"
  migration_mode: "apply"
segment_manager:
  hnsw_index_pool_cache_config:
    policy: "memory"
    capacity: 65536
open_telemetry:
  service_name: "chroma"
  endpoint: "http://otel:4318"
  filters: []
circuit_breaker:
  requests: 1000
`);
    const { settings, notices } = await read({ config });
    expect(settings).toMatchObject({
      ...{ port: 8001, host: '0.0.0.0', path: '/data', allowReset: true, bodyBytesMax: 1000 },
      corsAllowOrigins: ['https://a.example', '*'],
      ...{ traceService: 'chroma', traceEndpoint: 'http://otel:4318' },
    });
    expect(notices.map((notice) => notice.split(' ')[0])).toEqual([
      ...['sqlite_filename', 'sqlitedb', 'segment_manager', 'open_telemetry.filters', 'circuit_breaker'],
    ]);
  });

  test('variables are understood, nested ones and lists too', async () => {
    const env = {
      CHROMA_PORT: '8002',
      CHROMA_PERSIST_PATH: '/env',
      CHROMA_ALLOW_RESET: 'True',
      CHROMA_CORS_ALLOW_ORIGINS: '["https://a.example","https://b.example"]',
      CHROMA_MAX_PAYLOAD_SIZE_BYTES: '99',
      CHROMA_OPEN_TELEMETRY__ENDPOINT: 'http://otel',
      CHROMA_SQLITEDB__HASH_TYPE: 'md5',
      CHROMA_SERVER_AUTHN_PROVIDER: 'x',
    };
    const { settings, notices } = await read({}, env);
    expect(settings).toMatchObject({
      ...{ port: 8002, path: '/env', allowReset: true, bodyBytesMax: 99, traceEndpoint: 'http://otel' },
      corsAllowOrigins: ['https://a.example', 'https://b.example'],
    });
    expect(notices).toEqual(['CHROMA_SQLITEDB__HASH_TYPE has no meaning here.']);
    expect((await read({}, { CHROMA_CORS_ALLOW_ORIGINS: 'x, y' })).settings.corsAllowOrigins).toEqual([
      'x',
      'y',
    ]);
  });
});

test.each([
  ['prot: 1', /Unknown setting prot in .*config\.yaml\. Did you mean port\?/],
  ['limits:\n  requests_mx: 1', /Unknown setting limits\.requests_mx .*Did you mean limits\.requests_max\?/],
  ['colour: red', /Unknown setting colour .*tessera run --help lists all/],
  ['limits: 5', /Expected limits in .* to hold settings by their names/],
  ['port: many', /Expected port in .*config\.yaml to be a number from 0 to 65535, got many\./],
  ['port: 1.5', /Expected port .* got 1\.5\./],
  ['port: 70000', /Expected port .* got 70000\./],
  ['allow_reset: maybe', /Expected allow_reset .* to be true or false, got maybe\./],
  ['cors_allow_origins: [1]', /Expected cors_allow_origins .* to be a list of texts/],
  ['log_level: loud', /Expected log_level .* to be one of quiet, info, debug, got loud\./],
  ['persist_path: ""', /Expected persist_path .* to be a directory/],
  ['port: 1\nport: 2', /Cannot read the configuration .*unique/],
  ['port: [', /Cannot read the configuration .*config\.yaml: /],
  ['- port', /Expected .*config\.yaml to hold settings by their names/],
  ['port: !!js/function "x"', /Cannot read the configuration .*tag/],
])('a file with %j is refused', async (yaml, message) => {
  await expect(read({ config: fileOf(yaml) })).rejects.toThrow(message);
});

test('a file that says nothing, or empty groups, changes nothing', async () => {
  const { settings } = await read();
  for (const yaml of ['', '# only a comment', 'limits:\nopen_telemetry: {}']) {
    expect((await read({ config: fileOf(yaml) })).settings).toEqual(settings);
  }
});

test('a variable of the wrong kind is refused by its name', async () => {
  await expect(read({}, { TESSERA_PORT: 'x' })).rejects.toThrow(/Expected TESSERA_PORT to be a number/);
  await expect(read({}, { ALLOW_RESET: 'perhaps' })).rejects.toThrow(
    /Expected ALLOW_RESET to be true or false/,
  );
});

test('variables that others set are no mistake: they are left aside, with a word where it helps', async () => {
  const env = {
    TESSERA_PORT: 'tcp://10.0.0.1:8000',
    TESSERA_SERVICE_HOST: '10.0.0.1',
    CHROMA_API_KEY: 'x',
    CHROMA_PRT: '1',
    PORT: '5',
  };
  const { settings, notices } = await read({}, env);
  expect(settings.port).toBe(8000);
  expect(notices).toEqual([
    'TESSERA_PORT is the address of a service and no port; it is left aside.',
    'CHROMA_PRT is no setting. Did you mean CHROMA_PORT?',
  ]);
});

test('every setting has an option with its default, and none has two names', () => {
  const settings = Object.values(SERVER_SETTINGS);
  expect(SETTING_OPTIONS.map(({ name }) => name)).toEqual(settings.map(({ option }) => option));
  for (const { fallback } of SETTING_OPTIONS) expect(fallback).toMatch(/^\S.*; [a-z_.]+$/);
  const keys = [...settings.map(({ key }) => key), ...IGNORED_KEYS];
  expect(new Set(keys).size).toBe(keys.length);
});

test('docs/server.md lists every setting as the help does', () => {
  const page = readFileSync(join(ROOT, 'docs/server.md'), 'utf8');
  const rows = page.split('\n').filter((line) => /^\| `[a-z_.]+` \| `--/.test(line));
  expect(rows).toEqual(
    SETTING_OPTIONS.map(({ name, fallback, summary }) => {
      const [, text, key] = /^(.*); ([a-z_.]+)$/.exec(fallback!)!;
      return `| \`${key}\` | \`--${name}\` | ${text} | ${summary} |`;
    }),
  );
});
