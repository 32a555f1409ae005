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

// Tests deploy the contracts as they ship (TestBase.deploy). Their own code is not optimised: that takes the compiler
// longer than the tests run.
const quickTests = {
  id: 'fedtrail:quick-tests',
  hookHandlers: {
    solidity: async () => ({
      default: async () => ({
        build: (context, files, options, next) =>
          next(context, files, options?.scope === 'tests' ? { ...options, buildProfile: 'tests' } : options),
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
      fsPermissions: { readDirectory: ['./tests/vectors'] },
      // A fixed seed: a red run can be repeated. `dev.py soundness` looks further.
      fuzz: {
        runs: Number(process.env.FEDTRAIL_FUZZ_RUNS ?? 128),
        seed: process.env.FEDTRAIL_FUZZ_SEED ?? '0x6665647472616941',
      },
      invariant: { runs: 16, depth: 64, failOnRevert: false },
    },
  },
}
