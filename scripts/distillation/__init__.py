"""Distillation of a compact network: data, teachers, student, objective, training."""
