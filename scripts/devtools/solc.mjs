#!/usr/bin/env node
// The compiler of node_modules under the command line of the native one, as far as forge and slither use it: they would
// download one of their own.
import { createRequire } from 'node:module'
import { existsSync, readFileSync } from 'node:fs'

const require = createRequire(import.meta.url)
const solc = require('solc')

/** The text of an imported source that the request does not carry: those of packages. */
function readImport(unit) {
  const file = require.resolve(unit)
  return existsSync(file) ? { contents: readFileSync(file, 'utf8') } : { error: `no ${unit}` }
}

/** Who did not ask for code, since syntax trees take a tenth of the time, gets empty code: slither wants the fields. */
function fillCode(answer) {
  const none = { object: '', sourceMap: '' }
  for (const contract of Object.values(answer.contracts ?? {}).flatMap(Object.values)) {
    contract.evm = { bytecode: none, deployedBytecode: none, ...contract.evm }
  }
  return answer
}

if (process.argv.includes('--version')) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`)
} else {
  const request = readFileSync(0, 'utf8')
  const answer = JSON.parse(solc.compile(request, { import: readImport }))
  process.stdout.write(JSON.stringify(fillCode(answer)))
}
