// The Solidity compiler of node_modules with the command line of the native one, as far as py-solc-x uses it:
// --version, and standard JSON from standard input to standard output. SOLC_JS names the npm package's folder.
const { readFileSync } = require('node:fs')
const solc = require(process.env.SOLC_JS || 'solc')

if (process.argv.includes('--version')) {
  process.stdout.write(`solc, the solidity compiler\nVersion: ${solc.version()}\n`)
} else {
  process.stdout.write(solc.compile(readFileSync(0, 'utf8')))
}
