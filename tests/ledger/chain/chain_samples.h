// Samples that the tests of ledger/chain share: keys of fixed seeds, a network, one of everything.
//
// Everything here is a pure function of its arguments, so golden files can be made from it.
#ifndef VIGIL_TESTS_LEDGER_CHAIN_CHAIN_SAMPLES_H_
#define VIGIL_TESTS_LEDGER_CHAIN_CHAIN_SAMPLES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ledger/chain/block.h"
#include "ledger/chain/genesis.h"
#include "ledger/chain/record.h"
#include "ledger/crypto/keys.h"
#include "vigil/v1/event.pb.h"

namespace vigil::ledger::samples {

// The key whose seed is 32 times `number`. Validator i of SampleGenesis() has the keys 4i+1
// (consensus), 4i+2 (log), 4i+3 (cosigner) and 4i+4 (record); the sensor has 100, the admin 101.
SigningKey KeyNumber(uint8_t number);
// 32 times `byte`.
Hash HashOf(uint8_t byte);

// Three validators, one sensor "acme/fw-1" and one admin "acme/root", hashes filled in.
Genesis SampleGenesis();

// A Zeek connection of about 190 bytes.
v1::Event ConnectionEvent();
// Only what is required.
v1::Event SmallestEvent();
// Every field set, every repeated field twice.
v1::Event FullEvent();

// A valid body of every admitted kind, in order of number.
std::vector<RecordBody> SampleBodies();

// Body that commits to `payload`. `stream` "conn", sequence 1.
EventBatchBody BatchOf(const std::vector<std::string>& events, const std::string& payload);
// Signed by the sensor, with its payload.
Record BatchRecord(const Genesis& genesis, const std::vector<std::string>& events);
Record HeartbeatRecord(const Genesis& genesis);

// Header of a first block that CheckBlock() accepts, proposed by validator 0.
BlockHeader FirstHeader(const Genesis& genesis);
// A first block: one batch of two events, one heartbeat.
BlockPtr SampleBlock(const Genesis& genesis);

// Seed of a random test: env VIGIL_TEST_SEED, else `fallback`; printed.
uint64_t TestSeed(uint64_t fallback);

}  // namespace vigil::ledger::samples

#endif  // VIGIL_TESTS_LEDGER_CHAIN_CHAIN_SAMPLES_H_
