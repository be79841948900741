/** The release of this package; equal to package.json's, which a test checks. */
export const RELEASE_VERSION = '0.1.0';
