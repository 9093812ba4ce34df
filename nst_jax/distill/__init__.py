"""Training of a compact network from teachers: data, teachers, student, objective, training."""
