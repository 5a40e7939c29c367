"""Real clusters for tests and benchmarks: network namespaces, etcd, PostgreSQL, pgherd or Patroni as the agent.

Everything that is started here is ended by pid, everything that is made is removed, also when a test fails."""
