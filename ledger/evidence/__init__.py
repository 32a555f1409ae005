"""What an Ethereum chain says, as bytes that anybody can check: headers, receipts, and proofs of state.

`headers`, `receipts`, `trie`, `state` and `slots` are pure: bytes in, values or BadProof (FT703) out, whatever the
bytes. `fetching` gets the bytes from a node.
"""
