/** Errors that more than one place has to say in the same words. */
import { DatabaseError, type ErrorDetails } from '../base/index.ts';

/** For a call on a collection that another process, or an earlier call, has deleted. */
export function deletedMeanwhile(details: ErrorDetails = {}): DatabaseError {
  const message = 'The collection was deleted while it was in use. Create it anew, or list what exists.';
  return new DatabaseError('TESSERA_COLLECTION_NOT_FOUND', message, { details });
}

/** For a write to a database that was opened for reading alone. */
export function openedReadOnly(): DatabaseError {
  const message = 'The database was opened with readOnly: true. Open it without to write.';
  return new DatabaseError('TESSERA_READ_ONLY', message);
}

/** For a collection of which the catalogue knows that it has had records, and whose file is not there. */
export function fileMissing(collectionId: string): DatabaseError {
  const message = `The file of collection ${collectionId} is missing, though records were written to it. Put it back, restore it from a copy, or delete the collection.`;
  return new DatabaseError('TESSERA_CORRUPT', message, { details: { collectionId } });
}
