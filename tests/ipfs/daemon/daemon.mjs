// A real IPFS daemon without peers, serving /api/v0 on a free loopback port: node daemon.mjs REPO
// Prints `READY <multiaddr>` once it answers; ends when its standard input closes.
import { create } from 'ipfs-core'
import { HttpApi } from 'ipfs-http-server'

const [repo] = process.argv.slice(2)
const ipfs = await create({
  repo,
  offline: true,
  silent: true,
  preload: { enabled: false },
  init: { emptyRepo: true, algorithm: 'Ed25519' },
  config: {
    Bootstrap: [],
    Addresses: { Swarm: [], Delegates: [], API: '/ip4/127.0.0.1/tcp/0', Gateway: '' },
    Discovery: { MDNS: { Enabled: false }, webRTCStar: { Enabled: false } },
    Routing: { Type: 'none' },
  },
})
const api = new HttpApi(ipfs)
await api.start()
console.log(`READY ${api._apiServers[0].info.ma}`)

const end = () => process.exit(0)
process.stdin.on('end', end).on('error', end).resume()
