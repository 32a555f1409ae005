// Read a file out of a CAR with the JavaScript implementation of IPFS: node read_car.mjs FILE.car > content
import { open } from 'node:fs/promises'
import { CarReader } from '@ipld/car'
import { exporter } from 'ipfs-unixfs-exporter'

const file = await open(process.argv[2])
const car = await CarReader.fromIterable(file.createReadStream())
const [root] = await car.getRoots()
const blocks = {
  // The exporter of today asks for streams of bytes, the one before for bytes.
  async *get(cid) {
    const block = await car.get(cid)
    if (!block) throw new Error(`the CAR lacks ${cid}`)
    yield block.bytes
  },
}
const entry = await exporter(root, blocks)
for await (const piece of entry.content()) {
  if (!process.stdout.write(piece)) await new Promise((resolve) => process.stdout.once('drain', resolve))
}
