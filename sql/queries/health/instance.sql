SELECT id FROM instance
