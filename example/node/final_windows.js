// Final windows only, exactly once into a database: the offsets stand in the same transaction as the rows.
//
// usage: npm ci && node final_windows.js DATABASE [HOST:PORT [TOPIC]]
//
// The same tables as example/final_windows.py. Where records were deleted by age before they were read, kafkajs goes on with
// those that are left.
'use strict'
const { Kafka, logLevel } = require('kafkajs')
const Database = require('libsql')

const [path, servers = '127.0.0.1:9092', topic = 'metrics'] = process.argv.slice(2)
if (!path) {
  console.error('usage: node final_windows.js DATABASE [HOST:PORT [TOPIC]]')
  process.exit(2)
}

const database = new Database(path)
database.exec(`
  PRAGMA busy_timeout = 30000;
  CREATE TABLE IF NOT EXISTS windows (
    asset_id TEXT, size TEXT, start TEXT, "end" TEXT, seq INTEGER, energy_in_kwh REAL, energy_out_kwh REAL,
    PRIMARY KEY (asset_id, size, start)
  );
  CREATE TABLE IF NOT EXISTS positions (topic TEXT, "partition" INTEGER, next INTEGER, PRIMARY KEY (topic, "partition"));
`)
// A repetition has the same seq, and changes nothing.
const put = database.prepare(`
  INSERT INTO windows VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET "end" = excluded."end", seq = excluded.seq,
    energy_in_kwh = excluded.energy_in_kwh, energy_out_kwh = excluded.energy_out_kwh
  WHERE excluded.seq > seq
`)
const next = database.prepare('SELECT next FROM positions WHERE topic = ? AND "partition" = ?')
const move = database.prepare('INSERT OR REPLACE INTO positions VALUES (?, ?, ?)')

const position = partition => next.get(topic, partition)?.next ?? 0

// Rows and position, both or neither. Messages below the position are left out: a consumer that has lost the partition
// and does not know it yet writes nothing twice.
const take = database.transaction((partition, messages) => {
  let offset = position(partition)
  for (const message of messages) {
    if (Number(message.offset) < offset) continue
    offset = Number(message.offset) + 1
    const { final, size } = message.headers
    if (final.toString() !== 'true' || size.toString() === 'lifetime') continue // by the headers: nothing is parsed
    const { asset_id, window, seq, metrics } = JSON.parse(message.value)
    const { energy_in_kwh: energyIn, energy_out_kwh: energyOut } = metrics
    put.run(asset_id, window.size, window.start, window.end, seq, energyIn.value, energyOut.value)
  }
  move.run(topic, partition, offset)
})

async function main () {
  const kafka = new Kafka({ clientId: 'final-windows', brokers: servers.split(','), logLevel: logLevel.ERROR })
  const consumer = kafka.consumer({ groupId: 'final-windows-node', sessionTimeout: 10000 })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    for (const partition of payload.memberAssignment[topic] ?? []) {
      consumer.seek({ topic, partition, offset: String(position(partition)) })
    }
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (payload.restart) return
    console.error(payload.error.message)
    process.exit(1)
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
      take.immediate(batch.partition, batch.messages)
      resolveOffset(batch.lastOffset())
      await heartbeat()
    }
  })
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => consumer.disconnect().then(() => process.exit(0)))
  }
}

main().catch(error => {
  console.error(error.message)
  process.exit(1)
})
