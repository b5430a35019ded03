"""The process that computes for learners: stateless endpoints under /learn/, beside the workers that serve."""
