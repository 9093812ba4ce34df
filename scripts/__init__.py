"""For maintainers: sample pictures, golden values, digests, distillation."""
