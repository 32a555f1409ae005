"""What keeps a client's data private: noise and its mechanisms."""
