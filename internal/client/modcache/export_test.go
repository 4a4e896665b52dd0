package modcache

// TryLockFile is for tests that hold a lock.
var TryLockFile = tryLockFile
