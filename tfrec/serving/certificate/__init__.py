"""What proves that an export answers as the trained model: requests, loaders, and the document of the comparison."""
