// Write files as CARs with the JavaScript implementation of IPFS: node write_car.mjs SIZE FILE.car. Byte i is i mod 251.
import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CarWriter } from '@ipld/car'
import { MemoryBlockstore } from 'blockstore-core/memory'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'

const size = Number(process.argv[2])
const content = Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, i) => i)))
const kept = []
const store = new MemoryBlockstore()
const put = store.put.bind(store)
store.put = async (cid, bytes, options) => {
  kept.push({ cid, bytes })
  return put(cid, bytes, options)
}
const options = {
  cidVersion: 1,
  rawLeaves: true,
  reduceSingleLeafToSelf: true,
  chunker: fixedSize({ chunkSize: 262144 }),
  layout: balanced({ maxChildrenPerNode: 174 }),
}
let root
for await (const entry of importer([{ content: [content] }], store, options)) root = entry.cid
const { writer, out } = CarWriter.create([root])
const written = pipeline(Readable.from(out), createWriteStream(process.argv[3]))
for (const block of kept) await writer.put(block)
await writer.close()
await written
console.log(root.toString())
