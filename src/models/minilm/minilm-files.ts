/**
 * Where the files of all-MiniLM-L6-v2 may lie, and which of those places has them.
 *
 * Four places are looked at in this order, and a place counts when it has both files:
 *
 *   1. the folder that was passed
 *   2. the folder that `TESSERA_MINILM_PATH` names
 *   3. the cache of Chroma's Python client, which is also where `downloadMiniLM` puts them
 *   4. the caches of transformers.js and of the Hugging Face hub
 *
 * A folder that somebody named is the only one looked at: to go on elsewhere would be to fall back in
 * silence. In a folder, the model is `model.onnx` or `onnx/model.onnx`, as Python's and transformers.js'
 * caches have it.
 */
import { DatabaseError, type Environment } from '../../base/index.ts';
import { fileBytes, homeFolder, packageFolder, systemFiles } from '../../io/index.ts';

/** The variable that names a folder with the files. */
export const PATH_VARIABLE = 'TESSERA_MINILM_PATH';

/** The files of the model. */
export interface MiniLMFiles {
  readonly model: string;
  readonly tokenizer: string;
}

/** The folder of Chroma's Python client, which has the files in its folder `onnx`. */
export function chromaFolder(): string {
  return `${homeFolder()}/.cache/chroma/onnx_models/all-MiniLM-L6-v2`;
}

/** Finds the files. Errors: `TESSERA_MODEL_MISSING`, which says where they were looked for. */
export function findMiniLM(modelPath: string | undefined, environment: Environment): MiniLMFiles {
  const named = modelPath ?? environment.variable(PATH_VARIABLE);
  const folders = named === undefined ? cacheFolders(environment) : [named];
  for (const folder of folders) {
    const model = [`${folder}/onnx/model.onnx`, `${folder}/model.onnx`].find(isFile);
    const tokenizer = [`${folder}/tokenizer.json`, `${folder}/onnx/tokenizer.json`].find(isFile);
    if (model !== undefined && tokenizer !== undefined) return { model, tokenizer };
  }
  throw new DatabaseError(
    'TESSERA_MODEL_MISSING',
    `Expected the files of all-MiniLM-L6-v2 (model.onnx and tokenizer.json) in ${folders.join(' or ')}, found none. ` +
      `Call downloadMiniLM() once (80 MB), or name a folder that has them by modelPath or ${PATH_VARIABLE}.`,
    { details: { folders: folders.join('\n') } },
  );
}

function cacheFolders(environment: Environment): string[] {
  const folders = [chromaFolder()];
  const transformers = packageFolder('@huggingface/transformers');
  if (transformers !== null) folders.push(`${transformers}/.cache/Xenova/all-MiniLM-L6-v2`);
  const hub = `${environment.variable('HF_HOME') ?? `${homeFolder()}/.cache/huggingface`}/hub`;
  for (const owner of ['Xenova', 'sentence-transformers']) {
    const snapshots = `${hub}/models--${owner}--all-MiniLM-L6-v2/snapshots`;
    if (!systemFiles.isDirectory(snapshots)) continue;
    folders.push(...systemFiles.list(snapshots).map((name) => `${snapshots}/${name}`));
  }
  return folders;
}

function isFile(path: string): boolean {
  return fileBytes(path) !== null;
}
