import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

const solc = {
  version: '0.8.30',
  // The compiler comes from node_modules, so compiling never downloads one.
  path: require.resolve('solc/soljson.js'),
}

const settings = {
  optimizer: { enabled: true, runs: 200 },
  viaIR: true,
  evmVersion: 'osaka',
  // Bytecode must not depend on the paths that the compiler saw.
  metadata: { bytecodeHash: 'none' },
}

// A campaign (`dev.py soundness`) sets these: how many inputs each property gets, from which seed, and a file for the
// rounds that it made.
const { FEDTRAIL_FUZZ_RUNS: runs, FEDTRAIL_FUZZ_SEED: seed, FEDTRAIL_TALLY: tally } = process.env

// Tests deploy the contracts as they ship (TestBase.deploy). Their own code is optimised for a campaign only: it takes
// the compiler longer than the tests run.
const quickTests = {
  id: 'fedtrail:quick-tests',
  hookHandlers: {
    solidity: async () => ({
      default: async () => ({
        build: (context, files, options, next) =>
          next(
            context,
            files,
            options?.scope === 'tests' && !runs ? { ...options, buildProfile: 'tests' } : options,
          ),
      }),
    }),
  },
}

export default {
  plugins: [quickTests],
  paths: {
    sources: './contracts',
    tests: { solidity: './contracts/test' },
    cache: './.hardhat/cache',
    artifacts: './.hardhat/artifacts',
  },
  solidity: {
    splitTestsCompilation: true,
    profiles: {
      default: { ...solc, settings },
      tests: { ...solc, settings: { ...settings, optimizer: { enabled: false } } },
    },
  },
  test: {
    solidity: {
      fsPermissions: { readDirectory: ['./tests/vectors'], writeFile: tally ? [tally] : [] },
      // A fixed seed: a red run can be repeated.
      fuzz: { runs: Number(runs ?? 128), seed: seed ?? '0x6665647472616941' },
      invariant: { runs: 16, depth: 64, failOnRevert: false },
    },
  },
}
