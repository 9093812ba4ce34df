"""What a trained network sees: Zeiler & Fergus 2013, and pictures that units want."""
