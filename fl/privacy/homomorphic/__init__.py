"""Homomorphic aggregation: ciphertexts are added by anybody, and decrypted by all clients together.

BFV over integers, exact, with the secret key shared additively among the clients of a round: it exists nowhere, and
aggregator and all clients but one together cannot decrypt. Additions are all that is needed, so that there are no
evaluation keys and the plaintext modulus need not be prime.

The definitions are `ledger.spec.homomorphic` and `ledger.spec.decryption`; here is what a client does with its secrets.
Why not TenSEAL: it can split no key. Its figures stand beside these in benchmarks/results/homomorphic.json.

Fan and Vercauteren 2012, eprint 2012/144; Mouchet et al. 2021, eprint 2020/304 (the additive key, smudging);
Benhamouda et al. 2014, eprint 2014/889 (proofs of decryption shares).
"""
