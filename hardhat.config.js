import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

export default {
  paths: {
    sources: './contracts',
    tests: { solidity: './contracts/test' },
    cache: './.hardhat/cache',
    artifacts: './.hardhat/artifacts',
  },
  solidity: {
    version: '0.8.30',
    // The compiler comes from node_modules, so compiling never downloads one.
    path: require.resolve('solc/soljson.js'),
    settings: {
      optimizer: { enabled: true, runs: 200 },
      viaIR: true,
      evmVersion: 'osaka',
      // Bytecode must not depend on the paths that the compiler saw.
      metadata: { bytecodeHash: 'none' },
    },
  },
  test: {
    solidity: {
      fsPermissions: { readDirectory: ['./tests/vectors'] },
      // Fixed seeds: a red run can be repeated. Change them by hand to look further.
      fuzz: { runs: 256, seed: '0x6665647472616941' },
      invariant: { runs: 16, depth: 64, failOnRevert: false },
    },
  },
}
