// peer_node.js - hypercore and ssb-db2: for peer_libraries.py.
//
//     node peer_node.js hypercore|ssb append|create|drain DIR SECONDS BATCH
//
// Prints {"events":..,"seconds":..,"latencies":[..]}: seconds between asking and
// being told.
'use strict'

const [kind, how, dir, seconds, batch] = [process.argv[2], process.argv[3], process.argv[4],
  Number(process.argv[5]), Number(process.argv[6])]

function event (i) {
  return {
    resource: 'contacts', record_id: String(i % 250000).padStart(6, '0'), op: 'upsert',
    payload: { name: 'n0123456789abcdef', mail: '0123456789abcdef@example.org', score: 1.5,
      tags: ['alpha', 'beta'], note: '0123456789abcdef' },
    occurred_at: '2026-01-01T00:00:00.000Z', provenance: { source: 'bench', confidence: 0.5 }
  }
}

// commit(first, count) resolves when it is acknowledged.
async function loop (commit) {
  const latencies = []
  let events = 0
  let spent = 0
  for (const began = Date.now(); Date.now() - began < seconds * 1000; events += batch) {
    const then = process.hrtime.bigint()
    await commit(events, batch)
    const took = Number(process.hrtime.bigint() - then) / 1e9
    latencies.push(took)
    spent += took
  }
  process.stdout.write(JSON.stringify({ events, seconds: spent, latencies }) + '\n',
    () => process.exit(0))
}

async function hypercore () {
  const Hypercore = require('hypercore')
  const core = new Hypercore(dir)
  await core.ready()
  await loop((first, n) => core.append(Array.from({ length: n }, (_, i) =>
    Buffer.from(JSON.stringify(event(first + i))))))
}

async function ssb () {
  const keys = require('ssb-keys').generate()
  const server = require('secret-stack')({ caps: require('ssb-caps') })
    .use(require('ssb-db2/core')).use(require('ssb-classic'))
    .call(null, { keys, path: dir })
  const create = (i) => new Promise((resolve, reject) => server.db.create(
    { feedFormat: 'classic', content: { type: 'delta', ...event(i) }, keys },
    (err, msg) => err ? reject(err) : resolve(msg)))
  const drained = () => new Promise(resolve => server.db.onDrain(resolve))
  await loop(async (first) => {
    await create(first)
    if (how === 'drain') await drained()
  })
}

(kind === 'hypercore' ? hypercore() : ssb()).catch(e => {
  console.error(e)
  process.exit(1)
})
