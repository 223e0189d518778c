"""What stands beside the course: the environment, the learner's copy, the doctor, the plugin of the tests."""
