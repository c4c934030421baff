"""The parts of the screens. They draw values and post messages; none of them knows the SDK's client."""
