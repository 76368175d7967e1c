"""The toolkit's check of itself: networks of a known truth in, how often its tests are wrong out."""
