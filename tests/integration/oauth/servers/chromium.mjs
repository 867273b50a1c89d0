// Unpacks the browser of the package where TMPDIR says; prints one line of JSON: where it is, and what it needs to find.
import chromium from '@sparticuz/chromium';

const path = await chromium.executablePath();
console.log(JSON.stringify({ path, libraries: process.env.LD_LIBRARY_PATH ?? '' }));
