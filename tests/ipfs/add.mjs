// The identifiers that the JavaScript implementation of IPFS gives to files:
// node add.mjs CHUNK_BYTES WIDTH SIZE... < nothing; prints one CID a line. Byte i of a file is i mod 251.
import { BlackHoleBlockstore } from 'blockstore-core/black-hole'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'

const [chunkSize, maxChildrenPerNode, ...sizes] = process.argv.slice(2).map(Number)

function* pieces(size) {
  const period = Buffer.from(Array.from({ length: 251 }, (_, i) => i))
  const block = Buffer.alloc(251 * 4096, period)
  for (let left = size; left > 0; left -= block.length) yield block.subarray(0, Math.min(left, block.length))
}

for (const size of sizes) {
  const options = {
    cidVersion: 1,
    rawLeaves: true,
    reduceSingleLeafToSelf: true,
    chunker: fixedSize({ chunkSize }),
    layout: balanced({ maxChildrenPerNode }),
  }
  for await (const { cid } of importer([{ content: pieces(size) }], new BlackHoleBlockstore(), options)) console.log(cid.toString())
}
