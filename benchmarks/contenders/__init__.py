"""The contenders: each module builds one way to sample a configuration, and imports its framework when it is built."""
