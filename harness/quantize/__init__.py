"""The same model at several precisions: files made or taken, runs compared."""
